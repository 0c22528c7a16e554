# The only fitting code in R. Every engine that uses R evaluates this text in an
# environment of its own and calls pyexpr_answer() with a serialized request; the
# answer is serialized too, and errors and warnings are in it as data.
# Variables are always named v1, v2, ..., factors f1, f2, ...: the user's own
# names never reach R.

# What is known to differ between versions of lavaan, from its release notes and manuals.
# The code below asks lavaan itself (formals, lavOptions) which names it knows, and consults
# no version number. In 0.7 names with dots still work, but are deprecated and will go.
#
#   what                       0.6-14 (Debian 12)   0.6-19 (Debian 13)    0.7-3 (sid)
#   option names               std.lv               std.lv                std_lv or std.lv
#   equality over groups       group.equal          group.equal           group_equal or group.equal
#   formal arguments           sampling.weights     sampling.weights      sampling_weights
#   missing, full information  "ml" or "fiml"       "ml" or "fiml"        "ml" or "fiml"
#   parser of the model        old                  new                   "open"
#   cluster= with bootstrap    refused              refused               allowed
#   reliability of scores      not there            not there             there
#   Gauss-Newton's tolerance   optim.gn.tol.x       optim.gn.tol.x        gn.args, a list
#
# Not documented for 0.7, so read either way: the names that fitMeasures() returns
# (cfi.robust or cfi_robust), and the columns of standardizedSolution() (est.std or est_std).

pyexpr_known_names <- function() {
    unique(c(names(formals(lavaan::cfa)), names(formals(lavaan::lavaan)),
             names(lavaan::lavOptions())))
}

# The spelling of an option that this lavaan knows: as given, or in snake_case.
pyexpr_spelled <- function(name, known) {
    snake <- gsub(".", "_", name, fixed = TRUE)
    if (!(name %in% known) && snake %in% known) snake else name
}

pyexpr_column <- function(table, name) {
    snake <- gsub(".", "_", name, fixed = TRUE)
    if (name %in% names(table)) table[[name]] else table[[snake]]
}

# Each task fits first, and adds to what it answers.
pyexpr_fit <- function(request, more = function(fit, request) list()) {
    frame <- as.data.frame(request$columns)
    options <- list(std.lv = TRUE, meanstructure = TRUE, likelihood = "normal",
                    estimator = request$estimator, missing = request$missing,
                    control = list(abs.tol = 1e-20, rel.tol = 1e-14, x.tol = 1e-14,
                                   iter.max = 1000L, eval.max = 2000L))
    if (!is.null(request$ordered)) {
        options$ordered <- request$ordered
        # Of the continuous responses behind the categories there is no likelihood.
        options$likelihood <- NULL
    }
    if (!is.null(request$group)) {
        frame$group_ <- request$group
        options$group <- "group_"
    }
    if (!is.null(request$group_equal)) options$group.equal <- request$group_equal
    if (!is.null(request$group_partial)) options$group.partial <- request$group_partial
    if (!is.null(request$cluster)) {
        frame$cluster_ <- request$cluster
        options$cluster <- "cluster_"
    }
    known <- pyexpr_known_names()
    options <- c(options, pyexpr_of_the_user(request$options, known))
    names(options) <- vapply(names(options), pyexpr_spelled, "", known = known)
    # lavaan re-evaluates its own call: symbols keep the data out of it.
    syntax <- request$syntax
    call <- as.call(c(list(quote(lavaan::cfa), model = quote(syntax), data = quote(frame)), options))
    fit <- pyexpr_converged(call, environment(), known)
    if (!isTRUE(lavaan::lavInspect(fit, "converged"))) return(list(converged = FALSE))
    # A singular information matrix means that the estimates are arbitrary.
    covariance <- tryCatch(lavaan::lavInspect(fit, "vcov"), error = function(e) NULL)
    if (is.null(dim(covariance))) return(list(converged = FALSE))
    if (pyexpr_arbitrary(fit, covariance)) return(list(converged = FALSE))
    value <- pyexpr_extract(fit, grouped = !is.null(request$group))
    value$measures <- pyexpr_measures(fit, call, environment())
    c(value, more(fit, request))
}

pyexpr_of_the_user <- function(options, known) {
    spelled <- vapply(names(options), pyexpr_spelled, "", known = known)
    odd <- names(options)[!(spelled %in% known)]
    if (length(odd)) {
        stop("lavaan ", as.character(utils::packageVersion("lavaan")), " has no option '", odd[1L], "'")
    }
    options
}

# Scores of new rows, which must hold every category of every group, in their order.
pyexpr_scores <- function(fit, request) {
    rows <- as.data.frame(request$new_rows)
    grouped <- !is.null(request$new_group)
    if (grouped) rows$group_ <- request$new_group
    found <- lavaan::lavPredict(fit, newdata = rows, method = request$method)
    if (!grouped) return(list(scores = as.double(found)))
    # A matrix for each group, in lavaan's order of groups.
    labels <- as.character(lavaan::lavInspect(fit, "group.label"))
    scores <- matrix(NA_real_, nrow(rows), ncol(found[[1L]]))
    for (g in seq_along(labels)) scores[rows$group_ == labels[g], ] <- found[[g]]
    list(scores = as.double(scores))
}

pyexpr_modindices <- function(fit, request) {
    table <- as.data.frame(lavaan::modificationIndices(fit))
    table <- table[table$op %in% c("=~", "~~", "~1"), ]
    number <- function(x) as.double(unname(x))
    list(indices = list(
        lhs = as.character(table$lhs), op = as.character(table$op), rhs = as.character(table$rhs),
        group = if (is.null(table$group)) rep(1L, nrow(table)) else as.integer(table$group),
        mi = number(table$mi), epc = number(table$epc),
        sepc_all = number(pyexpr_column(table, "sepc.all"))))
}

# From these start values (a residual variance of 0 or less) or at these tolerances the
# baseline model may "not converge" where the model does, and what is measured against it
# is then missing or wrong: that is taken from a fit by lavaan's own ways.
pyexpr_measures <- function(fit, call, frame) {
    measures <- tryCatch(lavaan::fitMeasures(fit), warning = function(w) NULL)
    if (is.null(measures) || anyNA(measures[pyexpr_of_baseline(measures)])) {
        measures <- suppressWarnings(lavaan::fitMeasures(fit))
        call$control <- NULL
        usual <- tryCatch(suppressWarnings(lavaan::fitMeasures(eval(call, frame))),
                          error = function(e) NULL)
        those <- intersect(names(measures)[pyexpr_of_baseline(measures)], names(usual))
        measures[those] <- usual[those]
    }
    names <- gsub("_", ".", names(measures), fixed = TRUE)
    stats::setNames(as.list(as.double(unname(measures))), names)
}

# With parameters held equal lavaan gives a covariance matrix where it should have none.
pyexpr_arbitrary <- function(fit, covariance) {
    n_held <- sum(lavaan::parTable(fit)$op == "==")
    df <- lavaan::lavInspect(fit, "test")[[1]]$df
    if (df < 0) return(TRUE)
    # Without degrees of freedom a solution reproduces polychoric correlations, or there is none.
    if (df == 0 && lavaan::lavInspect(fit, "categorical") &&
        lavaan::lavInspect(fit, "optim")$fx > 1e-6) return(TRUE)
    if (n_held == 0L) return(FALSE)
    values <- eigen(unclass(covariance), symmetric = TRUE, only.values = TRUE)$values
    values <- values[seq_len(length(values) - n_held)]
    min(values) < 1e-10 * max(values)
}

pyexpr_of_baseline <- function(measures) {
    grepl("baseline|cfi|tli|nfi|rfi|ifi|rni", names(measures))
}

# nlminb often calls a minimum that it cannot improve at these tolerances "false
# convergence", and may be 1e-4 standard errors from it. lavaan's Gauss-Newton goes on
# from there; where it cannot, lavaan's own tolerances decide about the solution of nlminb.
pyexpr_converged <- function(call, frame, known) {
    said <- list()
    attempt <- function(call) {
        said <<- list()
        withCallingHandlers(eval(call, frame), warning = function(w) {
            said[[length(said) + 1L]] <<- w
            invokeRestart("muffleWarning")
        })
    }
    stands <- function(fit) isTRUE(lavaan::lavInspect(fit, "converged"))
    # That of the optimiser: with equal parameters each one's own is not 0 at the minimum.
    near <- function(fit) isTRUE(max(abs(suppressWarnings(tryCatch(
        lavaan::lavInspect(fit, "optim.gradient"), error = function(e) Inf)))) < 1e-4)
    lower <- function(one, other) isTRUE(lavaan::lavInspect(one, "optim")$fx <=
                                         lavaan::lavInspect(other, "optim")$fx + 1e-10)
    fit <- attempt(call)
    done <- stands(fit)
    if (!done && !near(fit)) {
        # Led astray, as it can be by few rows and a weak factor: lavaan's own tolerances.
        call$control <- list(iter.max = 1000L, eval.max = 2000L)
        fit <- attempt(call)
    }
    if (!done && (stands(fit) || near(fit))) {
        call$start <- fit
        call$control <- NULL
        newton <- call
        newton[[pyexpr_spelled("optim.method", known)]] <- "GN"
        if ("gn.args" %in% gsub("_", ".", known, fixed = TRUE)) {
            # By default this one stops where nlminb has.
            newton[[pyexpr_spelled("gn.args", known)]] <- list(tol_x = 1e-12, tol_g = 1e-12)
        } else {
            newton[[pyexpr_spelled("optim.gn.tol.x", known)]] <- 1e-12
        }
        # Far from a minimum it may never come back; and with parameters held equal, or with
        # missing values, the point where it stops is not the minimum (0.6-14: chi-square up
        # to 15 % too high). It is taken only where the likelihood has not fallen.
        held <- any(lavaan::parTable(fit)$op %in% c("==", "<", ">"))
        last <- if (held) NULL else tryCatch(attempt(newton), error = function(e) NULL)
        better <- !is.null(last) && stands(last) && lower(last, fit)
        fit <- if (better) last else attempt(call)
    }
    # The baseline model is fitted again where its measures are missing.
    for (w in said) if (!grepl("baseline model", conditionMessage(w))) warning(w)
    fit
}

pyexpr_extract <- function(fit, grouped) {
    table <- as.data.frame(lavaan::parTable(fit))
    table <- table[table$op %in% c("=~", "~~", "~1", "|"), ]
    key <- function(x) paste(x$lhs, x$op, x$rhs, if (is.null(x$group)) 1L else x$group)
    standard <- as.data.frame(lavaan::standardizedSolution(fit))
    at <- match(key(table), key(standard))
    number <- function(x) as.double(unname(x))
    covariance <- lavaan::lavInspect(fit, "vcov")
    list(
        converged = TRUE,
        parameters = list(
            lhs = as.character(table$lhs), op = as.character(table$op),
            rhs = as.character(table$rhs), group = as.integer(table$group),
            free = as.integer(table$free), estimate = number(table$est),
            std_error = number(table$se),
            std_all = number(pyexpr_column(standard, "est.std")[at]),
            std_all_error = number(standard$se[at])),
        vcov = number(covariance), n_free = nrow(covariance),
        n_obs = as.integer(unlist(lavaan::lavInspect(fit, "nobs"))),
        groups = if (grouped) as.character(lavaan::lavInspect(fit, "group.label")) else "")
}

pyexpr_versions <- function() {
    lavaan <- tryCatch(as.character(utils::packageVersion("lavaan")), error = function(e) NULL)
    list(R = as.character(getRversion()), lavaan = lavaan)
}

pyexpr_handle <- function(request) {
    switch(request$task,
        fit = pyexpr_fit(request),
        scores = pyexpr_fit(request, pyexpr_scores),
        modindices = pyexpr_fit(request, pyexpr_modindices),
        versions = list(),
        echo = request$value,
        fail = {
            warning("a warning first")
            stop("asked to fail")
        },
        stop("pyexpr: unknown task"))
}

pyexpr_restore_seed <- function(seed) {
    if (!is.null(seed)) {
        assign(".Random.seed", seed, envir = globalenv())
    } else if (exists(".Random.seed", globalenv(), inherits = FALSE)) {
        rm(".Random.seed", envir = globalenv())
    }
}

# Outside of the fit itself an interrupt waits: there it could not be answered as data.
pyexpr_answer <- function(bytes) suspendInterrupts(pyexpr_answered(bytes))

pyexpr_answered <- function(bytes) {
    warnings <- character()
    error <- NULL
    interrupted <- FALSE
    value <- NULL
    # lavaan tries some things with try(), which would print on the user's console.
    quiet <- options(show.error.messages = FALSE)
    on.exit(options(quiet))
    # Letters mean the same everywhere: where i becomes another letter in capitals (Turkish),
    # lavaan finds no solution. The names in a request are all ASCII.
    letters <- Sys.getlocale("LC_CTYPE")
    if (nzchar(letters) && letters != "C") {
        Sys.setlocale("LC_CTYPE", "C")
        on.exit(Sys.setlocale("LC_CTYPE", letters), add = TRUE)
    }
    # lavaan 0.6-19 draws random numbers: those of the session go on as if it had not.
    seed <- get0(".Random.seed", globalenv(), inherits = FALSE)
    on.exit(pyexpr_restore_seed(seed), add = TRUE)
    # What it prints all the same is for a console, not for who called.
    utils::capture.output(
        value <- withCallingHandlers(
            tryCatch(allowInterrupts(pyexpr_handle(unserialize(bytes))), error = function(e) {
                error <<- conditionMessage(e)
                NULL
            }, interrupt = function(i) {
                interrupted <<- TRUE
                NULL
            }),
            warning = function(w) {
                warnings <<- c(warnings, conditionMessage(w))
                invokeRestart("muffleWarning")
            },
            message = function(m) {
                warnings <<- c(warnings, conditionMessage(m))
                invokeRestart("muffleMessage")
            }))
    answer <- list(error = error, interrupted = interrupted, warnings = enc2utf8(warnings), value = value,
                   versions = pyexpr_versions())
    if (!is.null(error)) answer$error <- enc2utf8(error)
    serialize(answer, NULL, version = 2L)
}

pyexpr_answer_file <- function(source, target) {
    bytes <- readBin(source, "raw", file.size(source))
    writeBin(pyexpr_answer(bytes), target)
}
