"""The root of every error that Ringback raises.

RingbackError
├── InvalidId                 a string that is not an id of the wanted kind
├── InvalidEnvelope           a broker message that nobody can read
├── IllegalTransition         a state change that the table does not allow
├── StoreError                ringback_backends.contracts.errors
├── BrokerError               ringback_backends.contracts.errors
└── …                         each package adds its own beneath this root
"""


class RingbackError(Exception):
    """Whatever Ringback itself raises; what a task raises is data instead."""
