// Registrations only: one file per kernel, named after it.
#include <exception>
#include <new>
#include <stdexcept>

#include "numpy_views.hpp"

void register_clip_features(pybind11::module_&);
void register_cluster_bootstrap(pybind11::module_&);
void register_compiled_statistic(pybind11::module_&);
void register_csv_reader(pybind11::module_&);
void register_elastic_net(pybind11::module_&);
void register_factor_model(pybind11::module_&);
void register_frame_grid(pybind11::module_&);
void register_icc(pybind11::module_&);
void register_interrupts(pybind11::module_&);
void register_kinematics(pybind11::module_&);
void register_logistic_net(pybind11::module_&);
void register_row_sums(pybind11::module_&);
void register_sign_flip(pybind11::module_&);

namespace {

// pybind11 would say "std::bad_alloc". A vector of more elements than can be addressed throws
// the other one; no code of ours does.
void translate_memory_errors(std::exception_ptr error) {
    constexpr const char* kSentence =
        "the memory is not sufficient for this computation; compute fewer replicates or rows at "
        "a time, or use fewer threads";
    try {
        if (error) std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
        PyErr_SetString(PyExc_MemoryError, kSentence);
    } catch (const std::length_error&) {
        PyErr_SetString(PyExc_MemoryError, kSentence);
    }
}

}  // namespace

// Free-threaded Python keeps its lock off: kernels read their arguments, write arrays of their own,
// and run without the lock under other Pythons too. What they share is atomic, or made once; what
// holds Ctrl-C has a lock of its own.
PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
    m.doc() =
        "Compiled kernels of pyexpr. Import them through pyexpr.core, which checks arguments.";
    pybind11::register_local_exception_translator(&translate_memory_errors);
    register_clip_features(m);
    register_cluster_bootstrap(m);
    register_compiled_statistic(m);
    register_csv_reader(m);
    register_elastic_net(m);
    register_factor_model(m);
    register_frame_grid(m);
    register_icc(m);
    register_interrupts(m);
    register_kinematics(m);
    register_logistic_net(m);
    register_row_sums(m);
    register_sign_flip(m);
}
