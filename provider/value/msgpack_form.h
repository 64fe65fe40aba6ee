/* Private to value/: what the reader and the writer of the msgpack form share. */
#ifndef LLM_VALUE_MSGPACK_FORM_H
#define LLM_VALUE_MSGPACK_FORM_H

/* Arrays and maps within each other; msgpack-c's own unpacker stops here. */
enum { MSGPACK_DEPTH_MOST = 31 };

/* Extension types of unknown values (cty/msgpack/unknown.go). */
enum { EXT_UNKNOWN = 0, EXT_REFINED = 12 };

/* Keys of a refinement map (cty/msgpack/unknown.go). */
enum {
    REFINE_NULL = 1,
    REFINE_PREFIX = 2,
    REFINE_NUMBER_MIN = 3,
    REFINE_NUMBER_MAX = 4,
    REFINE_LENGTH_MIN = 5,
    REFINE_LENGTH_MAX = 6,
};

#endif
