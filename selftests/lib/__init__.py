# SPDX-License-Identifier: GPL-2.0
"""What the tests of tcp_close_wait share."""
