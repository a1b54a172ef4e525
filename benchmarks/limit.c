// What a core can do with pairs: hand-written, with the processor's approximate reciprocal root
// where it has AVX-512, else as the compiler vectorises it.  One row (fixed x and y) at a time.
#include <math.h>
#include <stdlib.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

enum { LANES = 8, GROUPS = 4, BLOCK = LANES * GROUPS };

// Potentials of the points (x, y, 0..n-1) of a unit grid.  `square` is scratch for `atoms` values.
static void row(long n, long atoms, const double *ax, const double *ay, const double *az,
                const double *e, double x, double y, double *square, double *out) {
  for (long i = 0; i < atoms; i++) {
    double a = x - ax[i], b = y - ay[i];
    square[i] = a * a + b * b;
  }
  for (long z0 = 0; z0 < n; z0 += BLOCK) {
    double sums[BLOCK] = {0};
#ifdef __AVX512F__
    // 14 bits, then one step of the fourth order in h = 1 - u v^2: 1 to 2 units in the last place.
    const __m512d one = _mm512_set1_pd(1), c1 = _mm512_set1_pd(0.5), c2 = _mm512_set1_pd(0.375),
                  c3 = _mm512_set1_pd(0.3125);
    __m512d sum[GROUPS], z[GROUPS];
    for (int k = 0; k < GROUPS; k++) {
      double first = (double)(z0 + LANES * k);
      sum[k] = _mm512_setzero_pd();
      z[k] = _mm512_add_pd(_mm512_set1_pd(first), _mm512_set_pd(7, 6, 5, 4, 3, 2, 1, 0));
    }
    for (long i = 0; i < atoms; i++) {
      __m512d place = _mm512_set1_pd(az[i]), q = _mm512_set1_pd(square[i]);
      __m512d energy = _mm512_set1_pd(e[i]);
      for (int k = 0; k < GROUPS; k++) {
        __m512d t = _mm512_sub_pd(z[k], place), u = _mm512_fmadd_pd(t, t, q);
        __m512d v = _mm512_rsqrt14_pd(u), h = _mm512_fnmadd_pd(_mm512_mul_pd(u, v), v, one);
        __m512d p = _mm512_fmadd_pd(_mm512_fmadd_pd(_mm512_fmadd_pd(c3, h, c2), h, c1), h, one);
        sum[k] = _mm512_fmadd_pd(_mm512_mul_pd(energy, v), p, sum[k]);
      }
    }
    for (int k = 0; k < GROUPS; k++) _mm512_storeu_pd(sums + LANES * k, sum[k]);
#else
    for (long i = 0; i < atoms; i++) {
      double dz = (double)z0 - az[i], q = square[i], w = e[i];
      for (int k = 0; k < BLOCK; k++) {
        double t = dz + k;
        sums[k] += w / sqrt(t * t + q);
      }
    }
#endif
    for (long k = 0; k < BLOCK && z0 + k < n; k++) out[z0 + k] = sums[k];
  }
}

// Potentials of rows `first` to `last` - 1 of a cube of n points a side; returns 0, or 1 without
// memory.
int rows(long n, long atoms, const double *ax, const double *ay, const double *az, const double *e,
         long first, long last, double *out) {
  double *square = malloc(sizeof(double) * (size_t)atoms);
  if (!square) return 1;
  for (long r = first; r < last; r++)
    row(n, atoms, ax, ay, az, e, (double)(r / n), (double)(r % n), square, out + (r - first) * n);
  free(square);
  return 0;
}
