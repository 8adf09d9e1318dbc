"""The example of a client does what its README says, with real nodes."""

import os
import subprocess
import sys
from itertools import pairwise

from domain_coordinator import domain_id

from text2gesture_ros.ros.graph_client import GraphClient


def test_the_client_speaks_cancels_and_stops(root):
    with domain_id() as number, GraphClient("nao", domain=number):
        environment = {
            **os.environ,
            "ROS_DOMAIN_ID": str(number),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }
        command = [sys.executable, str(root / "demo" / "client.py")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert "performing" in told
    assert any(line.startswith(("completed", "degraded")) for line in told)
    assert "cancelled" in told
    assert not any(one == two == "performing" for one, two in pairwise(told))
    assert not any(line.endswith(" ") for line in told)
    assert told[-1].startswith("the robot ")
