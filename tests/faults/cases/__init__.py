"""The fault cases, by what is hurt. Each says which fault, and how long; the oracle says whether the promises held."""

from tests.faults.cases.broker import BROKER_CASES
from tests.faults.cases.clients import CLIENT_CASES
from tests.faults.cases.cluster import CLUSTER_CASES
from tests.faults.cases.database import DATABASE_CASES
from tests.faults.cases.disks import DISK_CASES
from tests.faults.cases.endpoints import ENDPOINT_CASES
from tests.faults.cases.feed import FEED_CASES
from tests.faults.cases.hostile import HOSTILE_CASES
from tests.faults.cases.keeping import KEEPING_CASES
from tests.faults.cases.network import NETWORK_CASES
from tests.faults.cases.processes import PROCESS_CASES
from tests.faults.cases.receivers import RECEIVER_CASES
from tests.faults.cases.tasks import TASK_CASES
from tests.faults.stage import Case

ALL_CASES: tuple[Case, ...] = (
    *BROKER_CASES,
    *CLUSTER_CASES,
    *NETWORK_CASES,
    *PROCESS_CASES,
    *TASK_CASES,
    *DATABASE_CASES,
    *DISK_CASES,
    *CLIENT_CASES,
    *RECEIVER_CASES,
    *HOSTILE_CASES,
    *KEEPING_CASES,
    *ENDPOINT_CASES,
    *FEED_CASES,
)
