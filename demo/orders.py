#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""usage: orders.py DATABASE CONNECTIONS

A service with a pool of database connections: SQLAlchemy's QueuePool over
PyMySQL, both as Debian packages them, with their defaults. After a busy minute
at its start, which fills the pool, it does nothing until it gets SIGUSR1: then
it takes one order, and prints what came of it.

The bug is in the settings: the pool keeps idle connections for ever
(pool_recycle=-1, pool_pre_ping=False), the database only for wait_timeout.
"""
import signal
import sys
import threading
import time

import sqlalchemy


def wait_for_database(engine):
    while True:
        try:
            engine.connect().close()
            return
        except sqlalchemy.exc.OperationalError:
            time.sleep(0.5)


def rush_hour(engine, number):
    """All NUMBER connections in use at once; then all lie in the pool."""
    crowded = threading.Event()
    arrived = []

    def customer():
        with engine.connect() as connection:
            arrived.append(connection)
            if len(arrived) == number:
                crowded.set()
            while not crowded.wait(1):
                connection.execute(sqlalchemy.text("SELECT 1"))

    customers = [threading.Thread(target=customer) for _ in range(number)]
    for thread in customers:
        thread.start()
    for thread in customers:
        thread.join()


def order(engine):
    try:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))
        return "order: taken"
    except sqlalchemy.exc.OperationalError as error:
        return f"order: failed: {error.orig}"


def main(database, number):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    engine = sqlalchemy.create_engine(
        f"mysql+pymysql://shop@{database}/", pool_size=number, max_overflow=0)
    wait_for_database(engine)
    rush_hour(engine, number)
    print(engine.pool.status(), flush=True)
    while True:
        signal.sigwait({signal.SIGUSR1})
        print(order(engine), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
