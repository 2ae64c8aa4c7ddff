Feature: Whoever asks to be forgotten is forgotten

  Scenario: Somebody is forgotten once, however often it is asked for, and for whatever reason
    When subject "customer:ada": Forget {reason: asked by letter}
    Then Forgotten {reason: asked by letter}
    When subject "customer:ada": Forget {reason: asked again}
    Then nothing happens

  Scenario: Forgetting one leaves the others alone
    Given subject "customer:ada": Forget
    When subject "cart:C1": Forget
    Then Forgotten
