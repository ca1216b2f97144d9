/* The way into the kernel without a C library: one system call with up to five arguments, and the entry point.
 * Numbers, flags and error codes come from the kernel's own headers, since MIPS has its own of each. */
#ifndef KERNEL_H
#define KERNEL_H
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/time.h>
#include <linux/un.h>

/* Not in the kernel's exported headers (include/linux/net.h); MIPS has stream and datagram the other way round,
 * and 128 signals. */
#ifdef __mips__
#define SOCKET_STREAM 2
#define SIGNAL_BYTES 16
#else
#define SOCKET_STREAM 1
#define SIGNAL_BYTES 8
#endif
#define FAMILY_UNIX 1
#define SHUT_SENDING 1
#define DUPLICATE_FROM 1030 /* F_DUPFD_CLOEXEC, linux/fcntl.h (which asm/fcntl.h forbids to include beside it) */
#define HERE (-100)         /* AT_FDCWD */

/* The compiler calls this to clear variables, with or without a library. */
void *memset(void *into, int value, unsigned long count)
{
    for (unsigned char *at = into; count; count--)
        *at++ = (unsigned char)value;
    return into;
}

/* Entered by the kernel with the stack of arguments, environment and auxiliary vector; never returns. */
_Noreturn void start(long *stack);

#if defined(__x86_64__)

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n\thlt\n");

static long call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tbl start\n\tbrk #1\n");

static long call(long number, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory", "cc");
    return x0;
}

#elif defined(__mips64)

__asm__(".set push\n\t.set noreorder\n\t.globl _start\n_start:\n\tmove $30, $0\n\tmove $31, $0\n\tmove $4, $29\n\t"
        "jal start\n\tnop\n\tbreak\n\t.set pop\n");

/* An error is a positive number in $2 and a one in $7; the kernel keeps only $16-$23 and $28-$30. */
static long call(long number, long a, long b, long c, long d, long e)
{
    register long v0 __asm__("$2") = number;
    register long a0 __asm__("$4") = a;
    register long a1 __asm__("$5") = b;
    register long a2 __asm__("$6") = c;
    register long a3 __asm__("$7") = d;
    register long a4 __asm__("$8") = e;
    __asm__ volatile("syscall"
                     : "+r"(v0), "+r"(a3), "+r"(a4)
                     : "r"(a0), "r"(a1), "r"(a2)
                     : "$1", "$3", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo", "memory");
    return a3 ? -v0 : v0;
}

#else
#error "no system call glue for this processor"
#endif
#endif
