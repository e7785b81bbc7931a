"""The admin API of the process that announces: what operators ask and order."""
