#include "math/parallel_for.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace valuelens {

unsigned thread_count(unsigned requested) {
    return requested > 0 ? requested : std::max(1U, std::thread::hardware_concurrency());
}

void parallel_for(std::size_t count, unsigned threads, const std::function<void(std::size_t)> & body) {
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> failed = false;
    std::mutex mutex;
    std::size_t failed_index = count;
    std::exception_ptr failure;

    const auto work = [&] {
        while (!failed) {
            const std::size_t index = next++;
            if (index >= count) {
                return;
            }
            try {
                body(index);
            } catch (...) {
                // Every lower index was handed out earlier and still ends, so the lowest failure always gets here.
                const std::lock_guard lock(mutex);
                failed = true;
                if (index < failed_index) {
                    failed_index = index;
                    failure = std::current_exception();
                }
            }
        }
    };

    {
        const std::size_t workers = std::min<std::size_t>(thread_count(threads), count);
        std::vector<std::jthread> others;
        for (std::size_t i = 1; i < workers; ++i) {
            others.emplace_back(work);
        }
        work();
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

} // namespace valuelens
