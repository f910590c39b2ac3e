/* Ends the instruction set that lanes/v128.h, lanes/avx2.h or lanes/avx512.h began. */

#undef RGS_SET
#undef RGS_LANES
#undef RGS_GROUPS
#undef RGS_PARTIAL
#undef RGS_TARGET
#undef RGS_ROTATE_16
#undef RGS_ROTATE_8
