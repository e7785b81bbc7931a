"""The feedback processes of a network among each other: what each tells, and who decides."""
