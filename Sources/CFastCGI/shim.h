// fcgiapp.h only: fcgi_stdio.h redefines the whole of stdio with macros.
#include <fcgiapp.h>
