"""The lock that all rendering shares."""

import threading

queue_lock = threading.Lock()
