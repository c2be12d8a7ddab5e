"""What a store and a broker must do, for those who use one and those who write one."""
