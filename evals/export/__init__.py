"""The recorded incidents as a data set that any agent can be run on, without this program in its loop."""
