#include <cstdint>

#include "numpy_views.hpp"
#include "pyexpr/interrupts.hpp"

namespace {

namespace py = pybind11;

// A kernel asks without the lock. In other threads than Python's main one the answer is no.
void raise_if_interrupted() {
    const py::gil_scoped_acquire lock;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

int* flag_at(std::uintptr_t address) {
    return reinterpret_cast<int*>(address);  // NOLINT: an address is what the library tells.
}

}  // namespace

void register_interrupts(py::module_& m) {
    pyexpr::interrupt_question = &raise_if_interrupted;
    m.def(
        "hold_interrupts",
        [](std::uintptr_t flag) { return pyexpr::hold_interrupts(flag_at(flag)); },
        py::arg("flag"));
    m.def(
        "tell_interrupts", [](std::uintptr_t flag) { pyexpr::tell_interrupts(flag_at(flag)); },
        py::arg("flag"));
    m.def("release_interrupts", &pyexpr::release_interrupts);
}
