"""Calls the target for ever through the xDS client of grpc for Python.

One line on stdout for each call says who answered, or what went wrong.
"""

import sys
import time

import grpc

with grpc.insecure_channel(sys.argv[1]) as channel:
    check = channel.unary_unary("/grpc.health.v1.Health/Check")  # bytes in, bytes out
    while True:
        try:
            _, call = check.with_call(b"", timeout=5)
            print(dict(call.initial_metadata())["backend"], flush=True)
        except grpc.RpcError as error:
            print(f"failed: {error.code().name}: {error.details()}", flush=True)
        time.sleep(0.001)
