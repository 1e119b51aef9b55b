"""Cases of each alert on synthetic series: it fires in one and not in another."""

from tests.monitoring.alerts.data import DATA
from tests.monitoring.alerts.model import MODEL
from tests.monitoring.alerts.service import SERVICE
from tests.monitoring.alerts.slo import SLO

ALERTS = (*SLO, *SERVICE, *DATA, *MODEL)
