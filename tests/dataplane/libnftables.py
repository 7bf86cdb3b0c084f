"""nft inside this process: the library that the program nft is made of, bound to one network namespace.

A process for each ruleset would cost ten times as much as loading it.
"""

import ctypes
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from tests.support.namespaces import inside

JSON: Final = 1 << 4
"""NFT_CTX_OUTPUT_JSON of nftables/libnftables.h."""


class NftError(AssertionError):
    """nft refused a command, or its library is not there."""


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise NftError(f"libnftables.so.1: {error}; it comes with nft (Debian: nftables)") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype = ctypes.c_char_p
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


class Nft:
    """nft in a network namespace."""

    def __init__(self, namespace: int) -> None:
        self._library = _library()
        # The socket that it talks to the kernel with belongs to the namespace where it was opened.
        with inside(namespace):
            self._context = self._library.nft_ctx_new(0)
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, text: str) -> None:
        """Run commands of nft's language in one transaction. Raises NftError."""
        self._run(text, 0)

    def run_json(self, transaction: Mapping[str, Any]) -> None:
        """Run a transaction that is JSON. Raises NftError."""
        self._run(json.dumps(transaction), JSON)

    def listed(self, what: str) -> list[dict[str, Any]]:
        """What ``nft -j list`` shows. Raises NftError."""
        found: list[dict[str, Any]] = json.loads(self._run(f"list {what}", JSON))["nftables"]
        return found

    def ruleset(self) -> str:
        """All rules, as nft prints them."""
        return self._run("list ruleset", 0)

    def _run(self, text: str, flags: int) -> str:
        self._library.nft_ctx_output_set_flags(self._context, flags)
        failed = self._library.nft_run_cmd_from_buffer(self._context, text.encode())
        output = self._library.nft_ctx_get_output_buffer(self._context)
        errors = self._library.nft_ctx_get_error_buffer(self._context)
        if failed:
            raise NftError(f"nft: {errors.decode()}\n{text[:2000]}")
        return str(output.decode())

    def close(self) -> None:
        """Give the library's memory and socket back."""
        self._library.nft_ctx_free(self._context)
