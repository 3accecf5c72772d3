module muster/tests/bench/loadgen

go 1.19
