"""Agents for exported tasks: each runs in the folder of a task, with TASK, TICKET and REDIS_URL in its environment."""
