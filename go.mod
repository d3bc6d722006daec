module signet

go 1.26.0
