# Asking Python, and what it says: warnings become warnings of R, errors its errors.

ask <- function(verb, arguments = list(), call = rlang::caller_env()) {
  answer <- start(call)
  released <- state$released
  state$released <- integer()
  request <- list(
    verb = verb,
    arguments = unclass(dictionary(arguments)),
    released = as.integer(released)
  )
  reply <- unserialize(answer(serialize(request, NULL, version = 2L)))
  for (said in reply$warnings) {
    warn(full_stop(r_words(said$message)), class = unique(c(as.character(said$classes), "pyexpr_warning")),
      call = call)
  }
  if (isTRUE(reply$interrupted)) rlang::interrupt()
  if (!is.null(reply$error)) raise(reply$error, call)
  from_wire(reply$value)
}

raise <- function(error, call) {
  classes <- as.character(error$classes)
  parent <- NULL
  message <- full_stop(r_words(error$message))
  if ("pyexpr_function_error" %in% classes) {
    parent <- state$condition
    state$condition <- NULL
    message <- "the R function stopped:"
  }
  abort(message, class = unique(c(classes, "pyexpr_error")), reason = error$reason,
    python_traceback = error$traceback, parent = parent, call = call)
}

# --- functions of the user, called from Python --------------------------------

# A function that Python can call by the token's id, for as long as the token lives:
# a result that can draw more replicates holds it. Ids are never used again.
function_token <- function(f) {
  token <- new.env(parent = emptyenv())
  state$n_functions <- state$n_functions + 1L
  token$id <- state$n_functions
  assign(as.character(token$id), f, envir = state$functions)
  reg.finalizer(token, function(t) rm(list = as.character(t$id), envir = state$functions))
  token
}

answer_call <- function(bytes) {
  request <- unserialize(bytes)
  f <- get(as.character(request$`function`), envir = state$functions)
  answer <- tryCatch(
    numbers_of(f(request$arguments$weights)),
    error = function(e) {
      state$condition <- e
      list(status = "error")
    },
    interrupt = function(e) list(status = "interrupted")
  )
  serialize(answer, NULL, version = 2L)
}

numbers_of <- function(value) {
  if (is.list(value)) value <- unlist(value)
  if (!(is.numeric(value) || is.logical(value)) || !length(value)) {
    abort(sprintf("`statistic` must return numbers, named or one, not %s.", described_type(value)),
      call = NULL)
  }
  names <- if (is.null(names(value))) NULL else enc2utf8(names(value))
  list(status = "ok", value = as.double(value), names = names)
}
