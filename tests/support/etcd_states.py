"""What etcd held after the same definitions were applied, so that each control plane but the first begins with it.

It takes the server seconds to take in Liqo's definitions, and the tests start dozens of servers. The files are those
that a killed etcd would leave, and are gone with the process. It must not know what is stored.
"""

import atexit
import json
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from tests.support.api_client import Object
from tests.support.reaper import Reaper


class EtcdStates:
    """Data folders of etcd by the objects that were applied."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def restore(self, applied: Sequence[Object], data: Path) -> bool:
        """Make ``data`` a folder in which these objects are; whether there is one."""
        kept = self._kept(applied)
        if not kept.exists():
            return False
        shutil.copytree(kept, data)
        return True

    def keep(self, applied: Sequence[Object], data: Path) -> None:
        """Copy ``data``, which no etcd is writing to at the moment and which holds these objects."""
        shutil.copytree(data, self._kept(applied))

    def _kept(self, applied: Sequence[Object]) -> Path:
        if self._folder is None:
            self._folder = Path(mkdtemp(prefix="etcd-states-"))
            atexit.register(Reaper(self._folder).reap)
        return self._folder / sha256(json.dumps(applied, sort_keys=True).encode()).hexdigest()
