"""A private RabbitMQ: own node name, ports, port mapper and folders, with the management plugin."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.servers import programs
from tests.servers.private import PrivateServer
from tests.servers.processes import ServerProcess, free_port, is_listening


class RabbitServer(PrivateServer):
    """RabbitMQ from the installed binaries; ports and address stay the same over restarts."""

    def __init__(self, *, beside: "RabbitServer | None" = None) -> None:
        """Find the programs and make the folders; starts nothing.

        ``beside`` names a server with which this one may form a cluster: they share cookie and port mapper.

        Raises:
            ServerMissing: RabbitMQ is not installed.
        """
        server, epmd = programs.rabbitmq_server(), programs.epmd()
        if server is None or epmd is None:
            raise programs.ServerMissing("RabbitMQ", "rabbitmq-server is not installed")
        self._folder = Path(tempfile.mkdtemp(prefix="ringback-rabbitmq-"))
        self.port, self.management_port, self._distribution_port = free_port(), free_port(), free_port()
        self._epmd_port: int = free_port() if beside is None else beside._epmd_port
        self._cookie: str = secrets.token_hex(16) if beside is None else beside._cookie
        self._write_configuration()
        self._program = server
        environment = self._environment()
        mapper = [str(epmd), "-port", str(self._epmd_port), "-address", "127.0.0.1"]
        own_mapper = ServerProcess(mapper, environment, self._folder / "epmd.log")
        self._mapper: ServerProcess = own_mapper if beside is None else beside._mapper
        self._is_mapper_own = beside is None
        # with RABBITMQ_ALLOW_INPUT the script becomes the Erlang machine, so that a signal to our child reaches it
        self._server = ServerProcess([str(server), "-noinput"], environment, self._folder / "out.log")

    @property
    def name(self) -> str:
        """The node's name."""
        return f"ringback{self.port}@localhost"

    @property
    def url(self) -> str:
        """The AMQP address of the default virtual host."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def management_url(self) -> str:
        """The management API, with its user and password, without a slash at its end."""
        return f"http://guest:guest@127.0.0.1:{self.management_port}"

    @property
    def is_running(self) -> bool:
        """Whether the server runs."""
        return self._server.is_running

    def start(self) -> None:
        """Start it and wait until both its ports serve. Harmless when it runs."""
        if self.is_running:
            return
        if not self._mapper.is_running:
            self._mapper.start()
            self._mapper.wait_until(lambda: is_listening(self._epmd_port))
        self._server.start()
        self._server.wait_until(lambda: is_listening(self.port) and is_listening(self.management_port))

    def stop(self) -> None:
        """Stop it in good order; durable things stay."""
        self._server.end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as in a power cut of that machine."""
        self._server.end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Forget everything: stopped, emptied, started again."""
        self.stop()
        shutil.rmtree(self._folder / "mnesia", ignore_errors=True)
        self.start()

    def control(self, *arguments: str) -> None:
        """Tell the running server something with ``rabbitmqctl``, such as ``set_vm_memory_high_watermark 0.4``.

        Raises:
            CalledProcessError: it says no.
        """
        self.told(*arguments)

    def told(self, *arguments: str) -> str:
        """As ``control``; what ``rabbitmqctl`` prints."""
        command = [str(self._program.with_name("rabbitmqctl")), "--quiet", *arguments]
        done = subprocess.run(command, env=self._environment(), check=True, capture_output=True, timeout=60)
        return done.stdout.decode()

    def close(self) -> None:
        """Kill everything and delete the folders. Safe to call twice."""
        self._server.end(signal.SIGKILL)
        if self._is_mapper_own:
            self._mapper.end(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_configuration(self) -> None:
        cookie = self._folder / ".erlang.cookie"
        cookie.write_text(self._cookie)
        cookie.chmod(0o400)
        (self._folder / "plugins").write_text("[rabbitmq_management].\n")
        (self._folder / "rabbit.conf").write_text(
            "loopback_users = none\n"
            f"management.tcp.port = {self.management_port}\n"
            "management.tcp.ip = 127.0.0.1\n"
            # a full disk of the machine that runs the tests is not what they are about
            "disk_free_limit.absolute = 50MB\n"
        )

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbit.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        }
