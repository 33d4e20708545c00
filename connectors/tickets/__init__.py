"""A ticket system: Roundup over REST. Tickets are opened, answered, assigned and closed, each only once.

`client` asks and sends, through `transport`; `operations` act, on what `changing` knows; `events` tells what
changed; `records` are what is read.
"""
