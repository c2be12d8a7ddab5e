"""The fault cases, by what is hurt. Each says which fault, and how long; the oracle says whether the promises held."""

from tests.faults.cases.broker import BROKER_CASES
from tests.faults.cases.clients import CLIENT_CASES
from tests.faults.cases.database import DATABASE_CASES
from tests.faults.cases.processes import PROCESS_CASES
from tests.faults.cases.receivers import RECEIVER_CASES
from tests.faults.stage import Case

ALL_CASES: tuple[Case, ...] = (*BROKER_CASES, *PROCESS_CASES, *DATABASE_CASES, *CLIENT_CASES, *RECEIVER_CASES)
