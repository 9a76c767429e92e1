"""The configuration: one typed model for all services, and every way to fill it in.

    defaults < values files < Python configuration code < environment variables

`model.py` is the whole, `groups.py`, `services.py`, `limits.py` and `options.py` its parts; the other modules read
one kind of source each, and `loading.py` puts them together and remembers where each value came from.
"""
