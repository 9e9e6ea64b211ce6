/* internet_sum.h - the checksum of RFC 1071, which ICMPv6 and VRRP have.  Pure. */
#ifndef HAFAILOVER_LINK_INTERNET_SUM_H
#define HAFAILOVER_LINK_INTERNET_SUM_H

#include <stddef.h>
#include <stdint.h>

/* Parts may be added in any order if all but the last are of even length; 64 kB fit. */
static inline uint32_t
internet_sum_add(uint32_t sum, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return n % 2 ? sum + ((uint32_t)bytes[n - 1] << 8) : sum;
}

/* 0xffff when a right checksum is among what was added; what is to be sent is its complement. */
static inline uint16_t
internet_sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

#endif
