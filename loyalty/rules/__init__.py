"""What a programme is: rules, months, money, voucher codes. Pure: no database, no clock, no settings."""
