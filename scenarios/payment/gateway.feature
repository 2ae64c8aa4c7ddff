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
    Then AuthorizationRequested {order: O1, attempt: A1, token: tok_decline, amount: 30.00 GBP}
    And eventually payment "P1": Declined {order: O1, attempt: A1, reason: card_declined}
    And the payment "P1" reads {status: declined, ..}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then AuthorizationRequested {attempt: A2, ..}
    And eventually payment "P1": Authorized {attempt: A2, amount: 30.00 GBP, ..}
    And the payment "P1" reads {status: authorized, amount: 30.00 GBP, captured: 0.00 GBP, ..}

  Scenario: A token that the gateway does not know is declined like a bad card
    When payment "P1": Authorize {attempt: A1, token: tok_from_another_shop}
    Then AuthorizationRequested
    And eventually payment "P1": Declined {order: O1, attempt: A1, reason: unknown_token}

  Scenario Outline: <method> payments are held by a gateway before anything is taken
    Given payment "P2": OpenIntent {order: O2, amount: 30.00 GBP, method: <method>, capture: at_once}
    When payment "P2": Capture {capture: K1}
    Then refused: payment.not_authorized
    When payment "P2": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually payment "P2": Authorized {amount: 30.00 GBP, ..}

    Examples:
      | method |
      | card   |
      | upi    |
      | wallet |

  Scenario: While one attempt is under way there is no second one
    Given payment "P1": Authorize {attempt: A1, token: tok_timeout}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then refused: payment.in_progress {attempt: A1}

  Scenario: Whoever presses the button twice is asked for money once
    Given payment "P1": Authorize {attempt: A1, token: tok_late}
    When payment "P1": Authorize {attempt: A1, token: tok_late}
    Then nothing happens
    When 1 minute passes
    Then eventually payment "P1" is exactly:
      | Authorized | {order: O1, attempt: A1, amount: 30.00 GBP, ..} |

  Scenario: A gateway that says nothing for five seconds has timed out
    When payment "P1": Authorize {attempt: A1, token: tok_timeout}
    And 4 seconds pass
    Then nothing happens
    When 1 second passes
    Then eventually payment "P1": AuthorizationTimedOut {order: O1, attempt: A1}
    And the payment "P1" reads {status: timed_out, ..}

  Scenario: A gateway that asked for patience is waited for
    When payment "P1": Authorize {attempt: A1, token: tok_late}
    And 2 seconds pass
    Then nothing happens
    When 1 second passes
    Then eventually payment "P1": Authorized {order: O1, attempt: A1, amount: 30.00 GBP, ..}
    And never payment "P1": AuthorizationTimedOut

  Scenario: An approval that comes after we stopped waiting counts: the gateway holds the money
    Given payment "P1": Authorize {attempt: A1, token: tok_timeout}
    When 5 seconds pass
    And payment "P1": RecordAuthorization {attempt: A1, outcome: approved {reference: R-77}}
    Then Authorized {order: O1, attempt: A1, reference: R-77, amount: 30.00 GBP}

  Scenario: A "no" that comes late does not disturb the attempt that is under way
    Given payment "P1": Authorize {attempt: A1, token: tok_decline}
    And payment "P1": Authorize {attempt: A2, token: tok_late}
    When payment "P1": RecordAuthorization {attempt: A1, outcome: declined {reason: card_declined}}
    Then nothing happens
    When payment "P1": RecordAuthorization {attempt: A1, outcome: timed_out}
    Then nothing happens
    When 3 seconds pass
    Then eventually payment "P1": Authorized {attempt: A2, ..}

  Scenario: An answer to a question that nobody asked changes nothing
    When payment "P1": RecordAuthorization {attempt: A9, outcome: approved {reference: R-77}}
    Then nothing happens

  Scenario: An approval that comes twice holds the money once
    When payment "P1": Authorize {attempt: A1, token: tok_twice}
    And 1 minute passes
    Then nothing happens
    And eventually payment "P1" is exactly:
      | AuthorizationRequested |                                      |
      | Authorized             | {attempt: A1, amount: 30.00 GBP, ..} |

  Scenario: An earlier card that was approved after all is let go again
    Given payment "P1": Authorize {attempt: A1, token: tok_decline_then_approve}
    And payment "P1": Authorize {attempt: A2, token: tok_approve}
    When 3 seconds pass
    Then eventually payment "P1": Authorized {attempt: A1, ..}
    And eventually payment "P1": VoidRequested {amount: 30.00 GBP, ..}
    And eventually payment "P1": SurplusVoided {order: O1, ..}
    And never payment "P1": Voided

  Scenario: A bank that keeps the money of the card too many is asked again every ten minutes
    Given payment "P1": Authorize {attempt: A1, token: tok_decline}
    And payment "P1": Authorize {attempt: A2, token: tok_approve}
    When payment "P1": RecordAuthorization {attempt: A1, outcome: approved {reference: sim-void_fails-1}}
    And 10 minutes pass
    Then eventually payment "P1" is exactly:
      | Authorized        | {attempt: A1, ..}                  |
      | VoidRequested     | {reference: sim-void_fails-1, ..}  |
      | SurplusVoidFailed | {order: O1, reference: sim-void_fails-1, reason: void_fails} |
      | VoidRequested     | {reference: sim-void_fails-1, amount: 30.00 GBP, ..} |
      | SurplusVoidFailed | |

  Scenario: Letting go of the card too many leaves the other one to pay
    Given payment "P1": Authorize {attempt: A1, token: tok_decline_then_approve}
    And payment "P1": Authorize {attempt: A2, token: tok_approve}
    When 3 seconds pass
    And payment "P1": Capture {capture: K1}
    Then CaptureRequested {capture: K1, amount: 30.00 GBP, ..}
    And eventually payment "P1": Captured {order: O1, capture: K1, amount: 30.00 GBP}
    And the payment "P1" reads {status: captured, captured: 30.00 GBP, released: 0.00 GBP, ..}

  Scenario: A gateway that does not make up its mind is asked for a day, and then somebody has to look
    When payment "P1": Authorize {attempt: A1, token: tok_undecided}
    Then AuthorizationRequested
    And eventually payment "P1": AnswerDeferred {order: O1, asked: authorization {attempt: A1}}
    When 1 minute passes
    Then eventually payment "P1": AnswerSought {order: O1, asked: authorization {attempt: A1}, nth: 1}
    When 4 minutes pass
    Then eventually payment "P1": AnswerSought {nth: 2, ..}
    When 26 hours pass
    Then eventually payment "P1": AnswerSought {nth: 27, ..}
    And eventually payment "P1": AnswerMissing {order: O1, asked: authorization {attempt: A1}}
    And the payment "P1" reads {status: authorizing, ..}
    When 7 days pass
    Then nothing happens

  Scenario: Who puts off an answer and then gives it is not asked again
    Given payment "P1": Authorize {attempt: A1, token: tok_late}
    When 2 days pass
    Then eventually payment "P1" is exactly:
      | Authorized | {attempt: A1, ..} |

  Scenario: A buyer who gives up while the gateway thinks is not charged when it says yes
    Given payment "P1": Authorize {attempt: A1, token: tok_late}
    And payment "P1": Void {}
    When 3 seconds pass
    Then eventually payment "P1": Authorized {attempt: A1, ..}
    When payment "P1": Void {}
    Then VoidRequested {order: O1, amount: 30.00 GBP, ..}
    And eventually payment "P1": Voided {order: O1}

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

  Scenario: A payment that nobody opened takes part in nothing
    When payment "P9": Authorize {attempt: A1, token: tok_approve}
    Then refused: payment.not_opened
    When payment "P9": Capture {capture: K1}
    Then refused: payment.not_opened
    When payment "P9": Void {}
    Then refused: payment.not_opened
    When payment "P9": Refund {refund: R1, reason: broken}
    Then refused: payment.not_opened

  Scenario: What the buyer pays with may be kept for that customer
    When payment "P1": Authorize {attempt: A1, token: tok_approve, keep_for: C1}
    Then AuthorizationRequested {order: O1, attempt: A1, token: tok_approve, amount: 30.00 GBP, keep_for: C1}
