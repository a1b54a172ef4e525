"""The app tier: a worker that takes chunks from the queue, computes them and sends the results.

It knows nothing of EC2: an idle worker exits with 0, and the unit that runs it powers off.
"""
