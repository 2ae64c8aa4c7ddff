Feature: Orders that somebody has to look at

  Background:
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}

  Scenario: While an order is held nobody confirms it, and it says why
    When order "O1": HoldForReview {reason: first order above 500}
    Then HeldForReview {reason: first order above 500}
    When order "O1": Confirm
    Then refused: order.held_for_review {reason: first order above 500}
    And the order "O1" reads {status: held, held: first order above 500, ..}

  Scenario: The first reason to hold an order stands
    Given order "O1": HoldForReview {reason: odd address}
    When order "O1": HoldForReview {reason: many units}
    Then nothing happens
    When order "O1": Confirm
    Then refused: order.held_for_review {reason: odd address}

  Scenario: A released order goes on as if it had never been held
    Given order "O1": HoldForReview {reason: odd address}
    When order "O1": ReleaseFromReview {note: telephoned}
    Then ReleasedFromReview {note: telephoned}
    When order "O1": ReleaseFromReview
    Then nothing happens
    When order "O1": Confirm
    Then Confirmed {total: 30.00 GBP, lines: [{sku: MUG, quantity: 2}]}

  Scenario: An order that failed its review is cancelled as rejected, and stays so
    Given order "O1": HoldForReview {reason: odd address}
    When order "O1": RejectAfterReview {note: stolen card}
    Then Cancelled {reason: rejected, note: stolen card, confirmed: false, ..}
    When order "O1": RejectAfterReview {note: once more}
    Then nothing happens
    When order "O1": ReleaseFromReview
    Then refused: order.cancelled {reason: rejected}
    And the order "O1" reads {status: cancelled, cancel_reason: rejected, ..}

  Scenario: Nobody rejects an order that nobody held
    When order "O1": RejectAfterReview
    Then refused: order.not_held

  Scenario: It is too late to hold or reject an order that was confirmed
    Given order "O1": Confirm
    When order "O1": HoldForReview {reason: odd address}
    Then refused: order.already_confirmed
    When order "O1": RejectAfterReview
    Then refused: order.already_confirmed

  Scenario: The buyer need not wait for the review to call an order off
    Given order "O1": HoldForReview {reason: odd address}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, confirmed: false, ..}
