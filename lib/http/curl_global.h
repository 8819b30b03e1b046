// libcurl's process-wide set-up, with an allocator that wipes what it frees: libcurl copies request
// headers and bodies (tokens, passwords) into buffers of its own. Thread rule: any thread.
#pragma once

namespace keyturn::http {

// Once per process, before any other use of libcurl. Never undone: threads may outlive main's
// statics.
void init_curl();

}  // namespace keyturn::http
