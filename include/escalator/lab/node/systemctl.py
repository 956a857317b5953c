"""The verbs of systemctl that an upgrade uses; it asks the node's first process, for there is no systemd."""

import json
import signal
import socket
import sys
import time
from typing import Any

SOCKET = "/run/systemd/lab.sock"
SETTLE_SECONDS = 0.4
POLL_SECONDS = 0.1
NOT_FOUND_CODES = {"status": 4, "is-active": 4, "is-enabled": 4, "show": 0}
NOT_RUNNING = 3


def main(arguments: list[str]) -> int:
    """Carry out one command line; return systemctl's exit code."""
    options, words = _split(arguments)
    if not words:
        return _complain("which verb?", 1)
    verb, units = words[0], [unit.removesuffix(".service") for unit in words[1:]]
    if verb == "daemon-reload":
        ask({"verb": verb})
        return 0
    if verb == "is-system-running":
        _say("running")
        return 0
    if not units:
        return _complain("Too few arguments.", 1)
    return max(_on_unit(verb, unit, options) for unit in units)


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """Send one request to the node's first process and return its answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(SOCKET)
        connection.sendall(json.dumps(request).encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return dict(json.loads(answer))


def _split(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Separate options from words; ``-p``, ``-s``, ``--property`` and ``--signal`` take a value."""
    options: dict[str, str] = {}
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            words.append(argument)
            continue
        name, equals, value = argument.partition("=")
        if name in ("-p", "-s", "--property", "--signal") and not equals:
            value = next(rest, "")
        options[{"-p": "--property", "-s": "--signal", "-q": "--quiet"}.get(name, name)] = value
    return options, words


def _on_unit(verb: str, unit: str, options: dict[str, str]) -> int:
    request: dict[str, str | int] = {"verb": verb, "unit": unit}
    match verb:
        case "status" | "is-active" | "is-enabled" | "is-failed" | "show":
            request["verb"] = "show"
        case "kill":
            request["signal"] = _signal_number(options.get("--signal", "TERM"))
        case "enable" | "disable" if "--now" in options:
            ask({"verb": "start" if verb == "enable" else "stop", "unit": unit})
        case _:
            pass
    answer = ask(request)
    if answer.get("error") == "not-found":
        return _complain(f"Unit {unit}.service could not be found.", NOT_FOUND_CODES.get(verb, 5))
    if "error" in answer:
        return _complain(str(answer["error"]), 1)
    return _report(verb, unit, answer, options)


def _signal_number(name: str) -> int:
    """Return the number of a signal that is given as ``9``, ``KILL`` or ``SIGKILL``."""
    return int(name) if name.isdigit() else int(signal.Signals["SIG" + name.removeprefix("SIG")])


def _report(verb: str, unit: str, answer: dict[str, Any], options: dict[str, str]) -> int:
    state = answer.get("ActiveState")
    match verb:
        case "start" | "restart":
            return _settle(unit)
        case "stop":
            _wait_while(unit, "deactivating")
        case "is-active":
            if "--quiet" not in options:
                _say(state)
            return 0 if state == "active" else NOT_RUNNING
        case "is-failed":
            _say(state)
            return 0 if state == "failed" else 1
        case "is-enabled":
            _say(answer["UnitFileState"])
            return 0 if answer["UnitFileState"] == "enabled" else 1
        case "show":
            _show(answer, options)
        case "status":
            _status(answer)
            return 0 if state == "active" else NOT_RUNNING
        case "cat":
            sys.stdout.write(answer["text"])
        case _:
            pass
    return 0


def _settle(unit: str) -> int:
    """Wait until the old process is gone and the new one has lived a moment."""
    answer = _wait_while(unit, "deactivating")
    time.sleep(SETTLE_SECONDS)
    answer = ask({"verb": "show", "unit": unit})
    if answer["ActiveState"] == "active":
        return 0
    return _complain(
        f"Job for {unit}.service failed because the control process exited with error code. "
        f'See "systemctl status {unit}.service" for details.',
        1,
    )


def _wait_while(unit: str, state: str) -> dict[str, Any]:
    while (answer := ask({"verb": "show", "unit": unit}))["ActiveState"] == state:
        time.sleep(POLL_SECONDS)
    return answer


def _show(answer: dict[str, Any], options: dict[str, str]) -> None:
    wanted = [name for name in options.get("--property", "").split(",") if name]
    for name in wanted or answer:
        value = answer.get(name, "")
        _say(value if "--value" in options else f"{name}={value}")


def _status(answer: dict[str, Any]) -> None:
    _say(f"● {answer['Id']}")
    _say(f"     Loaded: loaded ({answer['UnitFileState']})")
    _say(f"     Active: {answer['ActiveState']} ({answer['SubState']})")
    if answer["MainPID"]:
        _say(f"   Main PID: {answer['MainPID']}")
    elif answer["ActiveState"] == "failed":
        _say(f"    Process: code={answer['Result']}, status={answer['ExecMainStatus']}")


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
