"""The server's socket and the address that it prints."""

import asyncio
import socket

import pytest
from litemedsam.server.launch import listening_socket, page_address
from litemedsam.server.settings import ServerSettings

from litemedsam import LiteMedSamError


def test_a_free_port_is_taken_and_a_taken_one_refused():
    with listening_socket("127.0.0.1", 0) as listening:
        listening.listen()
        port = listening.getsockname()[1]
        assert port > 0
        with pytest.raises(LiteMedSamError, match=f"cannot listen on 127.0.0.1:{port} .*; choose another --port"):
            listening_socket("127.0.0.1", port)
    # The port is free again at once.
    listening_socket("127.0.0.1", port).close()


def test_answers_do_not_wait_for_one_another():
    """Nagle's algorithm would hold back the second part of an answer for 40 ms."""

    async def accepted():
        found = asyncio.get_running_loop().create_future()

        class Peer(asyncio.Protocol):
            def connection_made(self, transport):
                option = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                found.set_result(option)
                transport.close()

        with listening_socket("127.0.0.1", 0) as listening:
            server = await asyncio.get_running_loop().create_server(Peer, sock=listening)
            async with server:
                _, writer = await asyncio.open_connection(*listening.getsockname())
                writer.close()
                return await found

    assert asyncio.run(accepted())


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(LiteMedSamError, match=r"cannot listen on 192\.0\.2\.1:0"):
        listening_socket("192.0.2.1", 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
@pytest.mark.parametrize(
    ("host", "token", "address"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:80/"),
        ("0.0.0.0", "", "http://127.0.0.1:80/"),
        ("::", "a", "http://[::1]:80/?token=a"),
        ("fe80::1", "", "http://[fe80::1]:80/"),
        ("work", "a/b &", "http://work:80/?token=a%2Fb%20%26"),
    ],
)
def test_the_page_s_address_can_be_opened_as_it_is_printed(host, token, address):
    assert page_address(ServerSettings(host=host, port=80, token=token)) == address
