from __future__ import annotations

import subprocess
import sys

BLOCKED = """
import sys
sys.modules['airflow'] = None
sys.modules['airflow.providers.openstack'] = None
sys.modules['boto3'] = None
from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
import escalator.cloud_manager.snapshots
counter = CallCounter()
extra = {'OS_PROJECT_ID': 'p', 'OS_PROJECT_DOMAIN_ID': 'default'}
fields = {'host': 'http://k/v3', 'login': 'u', 'password': 'p', 'extra': extra}
credentials = CloudCredentials.from_connection_fields(**fields)
Cloud(connect(credentials, counter), counter)
loaded = {name.split('.')[0] for name, module in sys.modules.items() if module}
print(sorted(loaded & {'airflow', 'boto3'}))
"""


def test_works_without_airflow_and_its_openstack_provider() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
