package main

import (
	"math/bits"
	"time"
)

// Each power of two is cut into 32 buckets: an error of at most 3 %.
const subBuckets = 32

// histogram counts durations; one per worker, merged at the end.
type histogram struct {
	counts [64 * subBuckets]uint64
	total  uint64
}

func bucketOf(value uint64) int {
	if value < subBuckets {
		return int(value)
	}
	shift := bits.Len64(value) - 6
	return shift*subBuckets + int(value>>uint(shift))
}

// lowest is the smallest value of a bucket, the inverse of bucketOf.
func lowest(bucket int) uint64 {
	if bucket < 2*subBuckets {
		return uint64(bucket)
	}
	shift := bucket/subBuckets - 1
	return uint64(bucket-shift*subBuckets) << uint(shift)
}

func (h *histogram) add(d time.Duration) {
	if d < 0 {
		d = 0
	}
	h.counts[bucketOf(uint64(d))]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// quantile in microseconds; 0 if nothing was counted.
func (h *histogram) quantile(q float64) float64 {
	rank := uint64(q * float64(h.total))
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if seen > rank {
			return float64(lowest(i)) / 1e3
		}
	}
	return 0
}
