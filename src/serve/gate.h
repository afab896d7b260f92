#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

namespace valuelens {

/// Counts the responses that are being written or wait, and lets no more in than there is room for. Thread-safe.
class Gate {
public:
    explicit Gate(std::size_t room) : room_(room) {}

    /// Room for some responses, given back when it is destroyed.
    class Pass {
    public:
        Pass(Gate & gate, std::size_t n) : gate_(&gate), n_(n) {}
        Pass(Pass && other) noexcept : gate_(std::exchange(other.gate_, nullptr)), n_(other.n_) {}
        Pass & operator=(Pass &&) = delete;
        ~Pass() {
            if (gate_ != nullptr) {
                gate_->leave(n_);
            }
        }

    private:
        Gate * gate_;
        std::size_t n_;
    };

    /// Nothing: there is no room now.
    std::optional<Pass> enter(std::size_t n) {
        const std::lock_guard lock(mutex_);
        if (inside_ + n > room_) {
            return std::nullopt;
        }
        inside_ += n;
        return std::optional<Pass>(std::in_place, *this, n);
    }

    std::size_t inside() const {
        const std::lock_guard lock(mutex_);
        return inside_;
    }

private:
    void leave(std::size_t n) {
        const std::lock_guard lock(mutex_);
        inside_ -= n;
    }

    mutable std::mutex mutex_;
    std::size_t room_;
    std::size_t inside_ = 0;
};

} // namespace valuelens
