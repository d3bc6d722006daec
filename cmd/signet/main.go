package main

import "signet/cmd/signet/program"

func main() { program.Main() }
