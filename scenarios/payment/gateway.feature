Feature: Money that a gateway holds for us

  Background:
    Given payment "P1": OpenIntent {order: O1, amount: 30.00 GBP, method: card, capture: at_once}

  Scenario: An intent is opened once, for more than nothing
    When payment "P1": OpenIntent {order: O1, amount: 30.00 GBP, method: card, capture: at_once}
    Then nothing happens
    When payment "P1": OpenIntent {order: O1, amount: 31.00 GBP, method: card, capture: at_once}
    Then refused: payment.already_opened
    When payment "P2": OpenIntent {order: O2, amount: 0.00 GBP, method: card, capture: at_once}
    Then refused: payment.bad_amount
    When payment "P2": OpenIntent {order: O2, amount: 0.01 GBP, method: card, capture: at_once}
    Then IntentOpened {order: O2, amount: 0.01 GBP, method: card, capture: at_once}

  Scenario: A declined card can be followed by another one
    When payment "P1": Authorize {attempt: A1, token: tok_decline}
    Then AuthorizationRequested {attempt: A1, ..}
    And eventually payment "P1": Declined {order: O1, attempt: A1, reason: card_declined}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then AuthorizationRequested {attempt: A2, ..}
    And eventually payment "P1": Authorized {attempt: A2, amount: 30.00 GBP, ..}

  Scenario: While one attempt is under way there is no second one
    Given payment "P1": Authorize {attempt: A1, token: tok_timeout}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then refused: payment.in_progress {attempt: A1}

  Scenario: A gateway that says nothing for five seconds has timed out
    When payment "P1": Authorize {attempt: A1, token: tok_timeout}
    And 4 seconds pass
    Then nothing happens
    When 1 second passes
    Then eventually payment "P1": AuthorizationTimedOut {order: O1, attempt: A1}

  Scenario: An approval that comes twice holds the money once
    When payment "P1": Authorize {attempt: A1, token: tok_twice}
    And 1 minute passes
    Then nothing happens
    And eventually payment "P1" is exactly:
      | AuthorizationRequested |                                          |
      | Authorized             | {attempt: A1, amount: 30.00 GBP, ..} |

  Scenario: An earlier card that was approved after all is let go again
    Given payment "P1": Authorize {attempt: A1, token: tok_decline_then_approve}
    And payment "P1": Authorize {attempt: A2, token: tok_approve}
    When 3 seconds pass
    Then eventually payment "P1": Authorized {attempt: A1, ..}
    And eventually payment "P1": VoidRequested {amount: 30.00 GBP, ..}

  Scenario: Money that is held is not asked for again
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then refused: payment.already_authorized
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then nothing happens

  Scenario: Nobody tries cards without end
    Given 50 times payment "P1": Authorize {attempt: A#, token: tok_decline}
    When payment "P1": Authorize {attempt: A51, token: tok_approve}
    Then refused: payment.too_many_tries {max: 50}

  Scenario: Cash on delivery is collected without a gateway
    Given payment "P2": OpenIntent {order: O2, amount: 30.00 GBP, method: cash_on_delivery, capture: on_shipment}
    When payment "P2": Authorize {attempt: A1, token: tok_approve}
    Then refused: payment.needs_no_authorization
    When payment "P2": Capture {}
    Then Captured {amount: 30.00 GBP, ..}

  Scenario: A card payment can neither be taken nor given back before it is held
    When payment "P1": Capture {}
    Then refused: payment.not_authorized
    When payment "P1": Refund {refund: R1, reason: broken}
    Then refused: payment.not_authorized
    When payment "P3": Capture {}
    Then refused: payment.not_opened
