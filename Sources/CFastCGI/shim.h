// Only fcgiapp.h: fcgi_stdio.h redefines all of stdio with macros.
#include <fcgiapp.h>
