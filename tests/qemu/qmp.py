#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Asks a stopped guest, over QEMU's QMP socket, for what a check needs:
#   qmp.py SOCKET DIR    writes DIR/tlb.txt ("info tlb"), DIR/mem.bin (all memory), DIR/cr3 (in hexadecimal)
# The guest is stopped where it is in user mode: then CR3 is its program's.

import json
import re
import socket
import sys
import time

TRIES = 100
MEMORY = 256 << 20


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r")
        self.lines.readline()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:  # events come in between
            line = self.lines.readline()
            if not line:
                sys.exit("qmp: QEMU has ended")
            answer = json.loads(line)
            if "error" in answer:
                sys.exit(f"qmp: {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def human(self, line):
        return self.execute("human-monitor-command", **{"command-line": line})


def stop_in_user_mode(monitor):
    for _ in range(TRIES):
        monitor.execute("stop")
        registers = monitor.human("info registers")
        if re.search(r"CPL=3", registers):
            return registers
        monitor.execute("cont")
        time.sleep(0.05)
    sys.exit("qmp: expected the guest in user mode, found it elsewhere each time")


def main():
    path, folder = sys.argv[1:]
    monitor = Monitor(path)
    registers = stop_in_user_mode(monitor)
    with open(f"{folder}/cr3", "w") as out:
        out.write(re.search(r"CR3=([0-9a-f]+)", registers).group(1) + "\n")
    with open(f"{folder}/tlb.txt", "w") as out:
        out.write(monitor.human("info tlb").replace("\r", ""))
    monitor.human(f'pmemsave 0 {MEMORY:#x} "{folder}/mem.bin"')
    monitor.execute("quit")


main()
