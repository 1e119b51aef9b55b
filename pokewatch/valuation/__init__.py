"""Valuation: from daily prices to fair prices, their intervals, and the price book.

The modules in the order in which prices pass through them:

    panel                        prices as arrays of days and cards: from a lake by `processed`,
                                 from a file by `panel_file`
    jumps, unconfirmed           quotes that may be errors, and fair prices while they may be
    features                     what is known of a card on a day; parts of it are in level_filter,
                                 recent_quotes, renewals, asks and group_moves
    training_set                 rows of features, each with the price at the horizon
    models                       the models that forecast it
    intervals                    the interval of a forecast, calibrated with the help of
                                 unchanged_quotes, error_model, error_shapes and common_errors;
                                 in the first days that of short_history
    walk_forward, valued_days    days valued by models trained on the days before
    evaluation                   scores, the selection of a model, the gate
    book                         the price book
    signals, backtest            decisions on the values, and what trades on them would have earned
    track_record                 past forecasts with the prices that followed
"""
