"""`signboard serve`: the page, the HTTP service and the queue that batches photos of many clients for one `Reader`."""
