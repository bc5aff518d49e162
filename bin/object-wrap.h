/*
 * Included before the sources of ssh2's ciphers. From 24.19 on, Node's ObjectWrap keeps a hook for each object and takes it back in the
 * destructor; that runs while garbage is collected, where there may be no context, and then it aborts the process (nodejs/node#63642,
 * mscdex/ssh2#1511). Without the hooks it is what it was before: objects that live when the process ends go with it.
 */
#include <node.h>
#define AddEnvironmentCleanupHook(...) static_cast<void>(0)
#define RemoveEnvironmentCleanupHook(...) static_cast<void>(0)
#include <node_object_wrap.h>
#undef AddEnvironmentCleanupHook
#undef RemoveEnvironmentCleanupHook
