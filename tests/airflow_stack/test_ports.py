import os
import socket

import pytest

from escalator.airflow_stack.errors import PortTakenError
from escalator.airflow_stack.ports import refuse_taken


def test_a_taken_port_is_refused_and_its_holder_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(
            PortTakenError, match=rf"port {port}, wanted by the test, .*pid {os.getpid()}: .*py(thon|test)"
        ):
            refuse_taken(port, wanted_by="the test")
    refuse_taken(port, wanted_by="the test")
    with socket.create_server(("127.0.0.1", port)) as again:
        assert again.getsockname()[1] == port
