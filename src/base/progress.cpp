#include "valuelens/progress.h"

namespace valuelens {

ProgressSink & silent_progress() {
    static ProgressSink sink;
    return sink;
}

} // namespace valuelens
