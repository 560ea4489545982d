"""The demo data: a real year of a grocer, dunnhumby's Complete Journey, as one programme's members and transactions."""
