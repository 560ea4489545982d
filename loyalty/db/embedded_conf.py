"""The embedded server's configuration, from the machine's memory and cores."""

import os

MB = 1 << 20
GB = 1 << 30


def configuration() -> str:
    """The lines of loyalty.conf for this machine. Durability stays as PostgreSQL has it: whole."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = os.cpu_count() or 1
    return "".join(f"{name} = {value}\n" for name, value in _lines(memory, cores).items())


def _lines(memory: int, cores: int) -> dict[str, str]:
    return {
        "listen_addresses": "'127.0.0.1'",
        "unix_socket_directories": "''",
        "password_encryption": "'scram-sha-256'",
        "max_connections": "200",
        "superuser_reserved_connections": "3",
        # memory: a batch's hash joins and sorts should stay in it
        "shared_buffers": _size(memory // 4, least=128 * MB, most=8 * GB),
        "effective_cache_size": _size(memory // 2, least=256 * MB, most=64 * GB),
        "work_mem": _size(memory // 200, least=64 * MB, most=256 * MB),
        "maintenance_work_mem": _size(memory // 32, least=128 * MB, most=512 * MB),
        # log and checkpoints: a month's close writes in one burst (the binaries have no lz4 to compress it), on two
        # cores faster than the log's own process writes 16 MB of buffers out
        "wal_buffers": _size(memory // 64, least=16 * MB, most=128 * MB),
        "max_wal_size": "8GB",
        "min_wal_size": "512MB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        # plans: discs seek fast, rows are many, expressions short
        "random_page_cost": "1.1",
        "jit": "off",
        "max_worker_processes": str(max(8, cores)),
        "max_parallel_workers": str(cores),
        "max_parallel_workers_per_gather": "2" if cores >= 4 else "1",
        "default_statistics_target": "100",
        # a killed client's statement ends soon
        "client_connection_check_interval": "2s",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "lc_messages": "'C'",
        # statements, details and contexts of errors repeat people's data: they stay out of the log
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }


def _size(size: int, *, least: int, most: int) -> str:
    return f"{min(max(size, least), most) // MB}MB"
