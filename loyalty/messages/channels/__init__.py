"""Ways by which messages leave: each a module that knows one provider, behind the interface of `channel.py`."""
