"""Which ports of the public internet a callback may use.

80, 443 and everything from 1024 on, except where a well-known service listens that would take parts of an HTTP request
for commands. Below 1024 live the services of the host itself (SSH, SMTP, DNS, LDAP, SMB, …). Addresses that an operator
opened by name may use any port: there he said whom he trusts.
"""

HIGHEST_PORT = 65_535
_FIRST_FREE = 1_024
_WEB = frozenset({80, 443})

SERVICES: dict[int, str] = {
    1433: "SQL Server",
    1521: "Oracle",
    1723: "PPTP",
    1883: "MQTT",
    2049: "NFS",
    2181: "ZooKeeper",
    2375: "Docker",
    2376: "Docker",
    2379: "etcd",
    2380: "etcd",
    3306: "MySQL",
    3389: "remote desktop",
    4369: "Erlang port mapper",
    5432: "PostgreSQL",
    5671: "AMQP",
    5672: "AMQP",
    5900: "VNC",
    5985: "WinRM",
    5986: "WinRM",
    6000: "X11",
    6379: "Redis",
    6380: "Redis",
    6443: "Kubernetes",
    6667: "IRC",
    9042: "Cassandra",
    9092: "Kafka",
    9200: "Elasticsearch",
    9300: "Elasticsearch",
    10250: "kubelet",
    11211: "memcached",
    15672: "RabbitMQ management",
    25672: "RabbitMQ",
    27017: "MongoDB",
    50000: "DB2",
    61613: "STOMP",
}
"""Ports from 1024 on that are refused, and what commonly listens there."""


def port_refusal(port: int) -> str | None:
    """What stands against that port on the public internet, in a few words; absent if nothing does."""
    if not 1 <= port <= HIGHEST_PORT:
        return "is outside 1 to 65535"
    if port < _FIRST_FREE:
        return None if port in _WEB else "is below 1024 and neither 80 nor 443"
    service = SERVICES.get(port)
    return f"belongs to {service}" if service else None
